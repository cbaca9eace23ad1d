//! GF(2^8) as AES has it (FIPS 197 §4.2, x^8 + x^4 + x^3 + x + 1). No tables: nothing that is
//! multiplied shows in a cache.

/// The product, in the same steps whatever the factors.
pub(crate) fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = (a << 1) ^ (0x1b & (a >> 7).wrapping_neg());
    }
    product
}

/// a^254, which is 1/a; 0 for 0.
pub(crate) fn invert(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..6 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}
