//! The program under test.

use std::env;
use std::path::PathBuf;

/// The built `tierline` beside the running test, where cargo puts both.
///
/// # Panics
/// When it was not built; the text says what to do.
pub fn program() -> PathBuf {
    let own = env::current_exe().expect("a running program has a path");
    // target/debug/deps/flows-… -> target/debug/tierline; a program of tests is beside it.
    let mut places = own.ancestors().skip(1).take(2);
    let found = places.find_map(|folder| {
        let built = folder.join(format!("tierline{}", env::consts::EXE_SUFFIX));
        built.is_file().then_some(built)
    });
    found.unwrap_or_else(|| {
        panic!(
            "there is no `tierline` beside {}: build it first, cargo build -p tierline",
            own.display()
        )
    })
}
