//! Tells the program from which commit it was built.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../../.git/HEAD");
    println!("cargo:rerun-if-changed=../../.git/refs/heads");
    let commit = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output();
    if let Ok(output) = commit
        && output.status.success()
        && let Ok(text) = String::from_utf8(output.stdout)
    {
        println!("cargo:rustc-env=TIERLINE_COMMIT={}", text.trim());
    }
}
