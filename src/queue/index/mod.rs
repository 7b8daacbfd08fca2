//! Rows of tasks, and the scans and pages over them.
//!
//! A [`Row`](row::Row) is the compact form of a task. [`Rows`](rows::Rows) is read access by id and by
//! ordered scans; every implementation gets pages, counts and failure groups for every filter and order
//! from [`page`] and [`groups`], which work in the [steps](step) of a limited work. [`Table`](table::Table) holds rows in memory, and
//! [`IdBitmap`](bitmap::IdBitmap) is the ordered set behind its indexes. Nothing here knows an engine or
//! a file. Rows have numbers as ids: a mirror of an engine with external ids maps each of them to a number.

pub(in crate::queue) mod bitmap;
pub(in crate::queue) mod groups;
mod merge;
pub(in crate::queue) mod page;
pub(in crate::queue) mod row;
pub(in crate::queue) mod rows;
pub(in crate::queue) mod step;
pub(in crate::queue) mod table;

pub(in crate::queue) use self::merge::merged;
