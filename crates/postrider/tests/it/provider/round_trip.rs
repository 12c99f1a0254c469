//! What is signed as a provider would verifies, and nothing else does.
