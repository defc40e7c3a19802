//! Frames: checked, numbered units on a byte stream that others write to as well.
