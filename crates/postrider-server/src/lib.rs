//! postrider-server
