//! TLS for compartments that hold no private key.
