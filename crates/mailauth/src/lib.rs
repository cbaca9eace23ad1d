//! mailauth
