//! Numbers that look like chance and are the same each time.

/// Knuth's linear congruential generator of MMIX, with its state. The high bits are the better ones.
#[derive(Clone, Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// Returns the number after the last one.
    pub fn following(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }
}
