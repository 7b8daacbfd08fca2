//! The structure of the code and its language, read from the sources: the direction of imports, the
//! names of types, the first lines of the documentation, and words that are not used.

mod arrows;
mod names;
mod paths;
mod source;
mod vocabulary;
mod words;
