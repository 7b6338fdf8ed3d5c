//! QUIC transport: certificates, join tokens, endpoints
