//! How messages and attempts are laid out in rows.
