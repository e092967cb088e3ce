//! Binding addresses, with an answer to "who has my port".

use std::fs;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody listens there already.
    #[error(
        "port {} on {} is taken{holder}; stop that, or choose another with {flag} {}:PORT \
         ({variable})",
        .address.port(), .address.ip(), .address.ip()
    )]
    Taken {
        /// The address.
        address: SocketAddr,
        /// " by process 123 (name)", where that can be seen; else empty.
        holder: String,
        /// The flag that changes the address.
        flag: String,
        /// The variable that changes the address.
        variable: String,
    },
    /// The system refuses for another reason.
    #[error(
        "cannot listen on {address}: {source}; choose another address with {flag} ({variable})"
    )]
    Refused {
        /// The address.
        address: SocketAddr,
        /// The flag that changes the address.
        flag: String,
        /// The variable that changes the address.
        variable: String,
        /// The reason.
        source: io::Error,
    },
}

/// Listens on the address of a configuration key such as `listen`.
///
/// # Errors
/// The text names the port, the flag, and on Linux the process that has the port.
pub async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, PortError> {
    TcpListener::bind(address).await.map_err(|source| {
        let flag = format!("--{}", key.replace('_', "-"));
        let variable = format!("TIERLINE_{}", key.to_uppercase());
        if source.kind() == io::ErrorKind::AddrInUse {
            let holder = holder(address.port()).unwrap_or_default();
            return PortError::Taken {
                address,
                holder,
                flag,
                variable,
            };
        }
        PortError::Refused {
            address,
            flag,
            variable,
            source,
        }
    })
}

/// Who listens on a port, as far as this process may see it: only on Linux, and other users'
/// processes only as root.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|path| {
            let table = fs::read_to_string(path).ok()?;
            listening_inode(&table, port)
        })?;
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?;
    let found = processes.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let files = fs::read_dir(entry.path().join("fd")).ok()?;
        let has = |file: fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str())
        };
        files.flatten().any(has).then(|| {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            format!(" by process {pid} ({})", name.trim())
        })
    });
    Some(found.unwrap_or_else(|| " by a process of another user".to_owned()))
}

/// The socket that listens on a port, out of a table of `/proc/net`.
///
/// Columns: `sl local_address rem_address st ... inode`; state `0A` is LISTEN, the inode is the
/// tenth.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let hit = columns.get(1)?.ends_with(&wanted) && *columns.get(3)? == "0A";
        hit.then(|| columns.get(9)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_flag_and_its_process() {
        let squatter = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = squatter.local_addr().unwrap();
        let error = bind("admin_listen", address).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("port {}", address.port())),
            "{error}"
        );
        assert!(error.contains("--admin-listen"), "{error}");
        assert!(error.contains("TIERLINE_ADMIN_LISTEN"), "{error}");
        if cfg!(target_os = "linux") {
            assert!(
                error.contains(&format!("process {}", std::process::id())),
                "{error}"
            );
        }
        drop(squatter);
        bind("admin_listen", address).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_with_its_flag() {
        let error = bind("listen", "192.0.2.1:7700".parse().unwrap())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("--listen"), "{error}");
    }

    #[test]
    fn only_listening_sockets_count() {
        let table = "sl local_address rem_address st queues timer retrnsmt uid timeout inode\n\
                     0: 0100007F:1E14 0100007F:C350 01 0:0 0:0 0 0 0 1 1\n\
                     1: 0100007F:1E14 00000000:0000 0A 0:0 0:0 0 0 0 42 1\n";
        assert_eq!(listening_inode(table, 7700), Some(42));
        assert_eq!(listening_inode(table, 7701), None);
    }
}
