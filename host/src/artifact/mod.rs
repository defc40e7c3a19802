//! Artifacts: mirrors, fetching, checksums, decompression, the content-addressed cache, git.
