//! Byte streams to boards: serial, TCP and telnet, a command; the driver of dialogs; the recorder.
