//! Tests of the whole product and of the tree it is made from; one program, one module a concern.

mod dependencies;
mod observability;
mod pages;
mod tidy;
