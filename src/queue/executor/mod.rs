pub(in crate::queue) mod control;
pub(in crate::queue) mod pool;
pub(in crate::queue) mod worker;
