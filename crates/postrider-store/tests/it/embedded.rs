//! What only the embedded store has: files that can be damaged, lost and reopened.

mod damage;
mod loss;
mod reopening;
