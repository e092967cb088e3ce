//! Data sets that do not ship with the project.

use std::env;
use std::path::PathBuf;

/// Names the folder of the data sets.
pub const REAL_DATA: &str = "TIERLINE_REAL_DATA";

/// The folder of the real data sets, or none, with a line that says so, where nobody named one.
///
/// # Panics
/// When the variable names a folder that is not there: then the test was asked for.
#[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
pub fn real_data() -> Option<PathBuf> {
    let found = check(env::var(REAL_DATA).ok());
    if found.is_none() {
        eprintln!("SKIPPED: {REAL_DATA} does not name the folder of the real data sets");
    }
    found
}

fn check(named: Option<String>) -> Option<PathBuf> {
    let folder = PathBuf::from(named.filter(|text| !text.is_empty())?);
    assert!(
        folder.is_dir(),
        "{REAL_DATA} names {}, which is not a folder; correct it or unset it",
        folder.display()
    );
    Some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_skip_and_an_existing_folder_is_given() {
        assert_eq!(check(None), None);
        assert_eq!(check(Some(String::new())), None);
        assert_eq!(check(Some("/".into())), Some(PathBuf::from("/")));
    }

    #[test]
    #[should_panic(expected = "is not a folder")]
    fn a_folder_that_is_not_there_is_a_failure() {
        check(Some("/no/such/folder".into()));
    }
}
