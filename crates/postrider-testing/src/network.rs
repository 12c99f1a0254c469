//! A network that fails on request, under the real binary.

use crate::shim::Shim;

const SOURCE: &str = include_str!("../shim/network.c");

/// A network that fails on request: a library that is loaded into a program before the C library.
/// `shim/network.c` describes what it can do.
#[derive(Debug)]
pub struct FaultyNetwork(Shim);

impl FaultyNetwork {
    /// A network that works until [`Self::fail`] is called.
    ///
    /// # Panics
    ///
    /// If there is no C compiler.
    pub fn build() -> Self {
        Self(Shim::build("network", SOURCE))
    }

    /// The environment of a program that uses the network.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("LD_PRELOAD", self.0.library()),
            ("NETWORK_SHIM_SCRIPT", self.0.script()),
            ("NETWORK_SHIM_LOG", self.0.log_file()),
        ]
    }

    /// Replaces the faults, which are counted from now on. Without lines, the network works.
    ///
    /// # Panics
    ///
    /// If the temporary folder is gone.
    pub fn fail(&self, script: &str) {
        self.0.replace_script(script);
    }

    /// A line for each fault.
    pub fn log(&self) -> Vec<String> {
        self.0.log()
    }
}
