//! The program that users run, with a data folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running `tierline up` and the command line that talks to it.
pub struct Program {
    server: std::sync::Arc<Server>,
    org: Option<String>,
}

struct Server {
    child: std::sync::Mutex<Child>,
    folder: tempfile::TempDir,
    binary: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child.lock().unwrap());
    }
}

fn spawn(binary: &Path, folder: &Path, data: &Path, environment: &[(&str, String)]) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    Command::new(binary)
        .args([
            "up",
            "--no-demo",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .env("TIERLINE_DATA_DIR", data)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// An orderly end, so that PostgreSQL is stopped too.
fn stop(child: &mut Child) {
    let pid = child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(
        asked.is_ok_and(|status| status.success()),
        "the server cannot be stopped"
    );
    child.wait().unwrap();
}

impl Program {
    /// The checkout.
    pub fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .unwrap()
    }

    /// Starts a server without the demonstration and waits until it is ready.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with settings of its own.
    pub fn start_with(environment: &[(&str, String)]) -> Self {
        let binary = tierline_testkit::program();
        let folder = tempfile::Builder::new()
            .prefix("tierline-loop")
            .tempdir()
            .unwrap();
        open_to_others(folder.path());
        let data = folder.path().join("data");
        let child = spawn(&binary, folder.path(), &data, environment);
        let server = Server {
            child: std::sync::Mutex::new(child),
            folder,
            binary,
        };
        let program = Self {
            server: std::sync::Arc::new(server),
            org: None,
        };
        program.wait_until_ready(1);
        program
    }

    /// Stops the server in order and starts it again on its data.
    pub fn restarted(self) -> Self {
        let folder = self.server.folder.path().to_owned();
        {
            let mut child = self.server.child.lock().unwrap();
            stop(&mut child);
            *child = spawn(&self.server.binary, &folder, &folder.join("data"), &[]);
        }
        self.wait_until_ready(2);
        self
    }

    /// Where its services are.
    #[allow(dead_code, reason = "not every test calls them by itself")]
    pub fn address(&self) -> String {
        let file = self.server.folder.path().join("data/client.toml");
        let file = tierline_runtime::keys::ClientFile::read(&file).unwrap();
        file.unwrap().address
    }

    /// What the server has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.server.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&self, starts: usize) {
        let until = Instant::now() + Duration::from_secs(90);
        while self.log().matches("Ctrl-C stops it.").count() < starts {
            let ended = self.server.child.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {}", self.log());
            assert!(
                Instant::now() < until,
                "the server is not ready: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The same server, in another org.
    pub fn in_org(&self, org: &str) -> Self {
        Self {
            server: std::sync::Arc::clone(&self.server),
            org: Some(org.to_owned()),
        }
    }

    /// Runs a command.
    pub fn output(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.server.binary);
        command
            .args(arguments)
            .env("TIERLINE_DATA_DIR", self.server.folder.path().join("data"))
            .current_dir(self.server.folder.path())
            .stdin(Stdio::null());
        if let Some(org) = &self.org {
            command.env("TIERLINE_ORG", org);
        }
        command.output().unwrap()
    }

    /// Runs a script in an empty folder that has the programs and mappings of the checkout.
    pub fn shell(&self, script: &str) -> Output {
        let folder = self.server.folder.path();
        for shipped in ["programs", "mappings"] {
            std::os::unix::fs::symlink(Self::root().join(shipped), folder.join(shipped)).unwrap();
        }
        let mut path = self.server.binary.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .env("PATH", path)
            .env("TIERLINE_DATA_DIR", folder.join("data"))
            .env_remove("TIERLINE_ORG")
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// A file that a script wrote.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.server.folder.path().join(name)).unwrap()
    }

    /// Runs a command that must succeed and gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?} failed\n{text}\n{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        text
    }

    /// Runs a command that must succeed and reads its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }

    /// Runs a command that prints a JSON document a line.
    pub fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.run(&[arguments, &["--output", "json"]].concat());
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// All standings of the org.
    pub fn standings(&self) -> Vec<Value> {
        let shown = self.json(&["standing", "list"]);
        shown
            .as_array()
            .unwrap_or_else(|| panic!("{shown}"))
            .clone()
    }
}

/// PostgreSQL runs as another account where the test is root, and must reach its folder.
fn open_to_others(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}
