//! tierline-proto.
