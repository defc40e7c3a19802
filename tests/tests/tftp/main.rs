//! The TFTP server against real clients, networks that lose packets, and senders who mean harm.

mod attacks;
mod loss;
mod peers;
mod serving;
