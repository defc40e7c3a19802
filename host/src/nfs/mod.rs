//! NFSv3 and MOUNT server (RFC 1813) on ONC RPC (RFC 5531).
