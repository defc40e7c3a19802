//! Readers of the event stream, one file per output.
