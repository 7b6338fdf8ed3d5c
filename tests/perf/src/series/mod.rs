//! The series store alone: [`feed`] is what a central would write, [`writes`] what that costs, [`charts`]
//! how quickly it is shown.

pub mod charts;
pub mod feed;
pub mod writes;
