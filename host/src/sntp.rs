//! SNTP server (RFC 4330) for boards without a clock battery.
