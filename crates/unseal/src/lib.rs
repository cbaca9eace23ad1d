//! unseal
