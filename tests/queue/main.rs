//! Every engine must pass the same suite; the embedded one also has stories of its own.

mod conformance;
mod embedded;
mod support;
