//! The first example of the README, run as it stands there.

use tierline_testkit::real_data;

use crate::program::Program;

/// The commands of the section in their order, each with the output that is shown below it, if
/// any.
fn commands(readme: &str) -> Vec<(String, Vec<&str>)> {
    let (_, section) = readme.split_once("## First example").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut commands = Vec::new();
    let mut kind = "";
    for line in section.lines() {
        match (kind, line.strip_prefix("```")) {
            ("", Some(opened)) => {
                kind = opened;
                if kind == "sh" {
                    commands.push((String::new(), Vec::new()));
                }
            }
            (_, Some(_)) => kind = "",
            ("sh", None) => {
                let script = &mut commands.last_mut().unwrap().0;
                script.push_str(line);
                script.push('\n');
            }
            ("console", None) => match line.strip_prefix("$ ") {
                Some(command) => commands.push((command.to_owned(), Vec::new())),
                None => commands.last_mut().unwrap().1.push(line),
            },
            _ => {}
        }
    }
    commands
}

/// `...` stands for what differs from run to run.
fn matches(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split("...");
    let Some(mut rest) = parts.next().and_then(|begin| printed.strip_prefix(begin)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        (rest, last) = (after, Some(part));
    }
    // Where dots end the line, anything may follow.
    rest.is_empty() || last == Some("")
}

#[test]
fn the_first_example_of_the_readme_gives_what_it_shows() {
    let Some(data) = real_data() else { return };
    let readme = std::fs::read_to_string(Program::root().join("README.md")).unwrap();
    let commands = commands(&readme);
    assert_eq!(commands.len(), 4, "{commands:?}");
    let shown: usize = commands.iter().map(|(_, shown)| shown.len()).sum();
    assert!(shown >= 5, "{commands:?}");

    let mut script = format!("export TIERLINE_REAL_DATA='{}'\n", data.display());
    for (number, (command, shown)) in commands.iter().enumerate() {
        if shown.is_empty() {
            script.push_str(command);
        } else {
            script.push_str(&format!("{command} > shown-{number}\n"));
        }
    }
    let program = Program::start();
    let output = program.shell(&script);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (number, (command, shown)) in commands.iter().enumerate().filter(|(_, c)| !c.1.is_empty()) {
        let printed = program.read(&format!("shown-{number}"));
        let printed: Vec<&str> = printed.lines().collect();
        assert_eq!(printed.len(), shown.len(), "{command}: {printed:#?}");
        for (shown, printed) in shown.iter().zip(printed) {
            assert!(
                matches(shown, printed),
                "{command}: {printed:?} is shown as {shown:?}"
            );
        }
    }
}
