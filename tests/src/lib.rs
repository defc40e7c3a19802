//! Fakes and harness for the end-to-end tests.
