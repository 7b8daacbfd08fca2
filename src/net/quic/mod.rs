pub(crate) mod stream;
pub(crate) mod transport;
