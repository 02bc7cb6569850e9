//! Where the native server keeps conversations: in a `SQLite` file, or in its memory.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::since_1970;
use crate::config;
use crate::conversations::{Record, Store, unavailable};
use crate::error::Error;

/// The store that the configuration asks for, if it does.
#[derive(Clone)]
pub(super) struct Place(Option<Arc<Mutex<dyn Store + Send>>>);

impl Place {
    /// Opens the store, if there is to be one.
    pub(super) fn open(store: Option<&config::Store>) -> Result<Self, rusqlite::Error> {
        let Some(store) = store else { return Ok(Self(None)) };
        Ok(Self(Some(match &store.path {
            None => Arc::new(Mutex::new(Memory::new(store.max_total_bytes))),
            Some(path) => Arc::new(Mutex::new(File::open(Path::new(path), store.max_total_bytes)?)),
        })))
    }

    /// [`Store::get`].
    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let name = name.to_owned();
        self.with(move |store, now| store.get(&name, now)).await
    }

    /// [`Store::put`].
    pub(super) async fn put(&self, record: Record) -> Result<(), Error> {
        self.with(move |store, now| store.put(record, now)).await
    }

    /// [`Store::delete`].
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.with(move |store, _| store.delete(&name)).await
    }

    /// Does `work` with the store, if there is one, on a thread that may wait for a disk.
    async fn with<T: Default + Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store, u64) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(store) = self.0.clone() else { return Ok(T::default()) };
        let now = since_1970().as_secs();
        let done = tokio::task::spawn_blocking(move || {
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut *store, now)
        });
        done.await.unwrap_or_else(|error| Err(unavailable(&error)))
    }
}

/// Records in memory, oldest first out.
pub(super) struct Memory {
    limit: u64,
    bytes: u64,
    /// How many records there ever were.
    count: u64,
    records: HashMap<String, Kept>,
    /// The names in the order in which they came.
    order: BTreeMap<u64, String>,
}

struct Kept {
    value: Vec<u8>,
    expires: u64,
    number: u64,
}

/// What a record takes beside its value, roughly.
const OVERHEAD: u64 = 200;

fn size(value: &[u8]) -> u64 {
    u64::try_from(value.len()).unwrap_or(u64::MAX).saturating_add(OVERHEAD)
}

impl Memory {
    fn new(limit: u64) -> Self {
        Self { limit, bytes: 0, count: 0, records: HashMap::new(), order: BTreeMap::new() }
    }

    fn remove(&mut self, name: &str) {
        if let Some(Kept { value, number, .. }) = self.records.remove(name) {
            self.order.remove(&number);
            self.bytes = self.bytes.saturating_sub(size(&value));
        }
    }
}

impl Store for Memory {
    fn get(&mut self, name: &str, now: u64) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.records.get(name).filter(|kept| kept.expires > now).map(|kept| kept.value.clone()))
    }

    fn put(&mut self, record: Record, now: u64) -> Result<(), Error> {
        let Record { name, value, ttl_seconds } = record;
        self.remove(&name);
        // All live equally long: who came first has to go first, and has gone stale first.
        while let Some((number, oldest)) = self.order.pop_first() {
            let is_stale = self.records.get(&oldest).is_none_or(|kept| kept.expires <= now);
            if !is_stale && self.bytes.saturating_add(size(&value)) <= self.limit {
                self.order.insert(number, oldest);
                break;
            }
            self.remove(&oldest);
        }
        if size(&value) > self.limit {
            return Ok(());
        }
        self.count += 1;
        self.bytes += size(&value);
        self.order.insert(self.count, name.clone());
        self.records.insert(name, Kept { value, expires: now.saturating_add(ttl_seconds), number: self.count });
        Ok(())
    }

    fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.remove(name);
        Ok(())
    }
}

/// Records in a `SQLite` file.
pub(super) struct File {
    connection: Connection,
    limit: u64,
    bytes: u64,
}

impl File {
    fn open(path: &Path, limit: u64) -> rusqlite::Result<Self> {
        create_private(path);
        let connection = Connection::open(path)?;
        // A record that is lost with the power is answered "not found", which clients can deal with; waiting for the disk
        // at every turn would cost them more.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS record (
                name TEXT PRIMARY KEY,
                expires INTEGER NOT NULL,
                bytes INTEGER NOT NULL,
                value BLOB NOT NULL
            );
            CREATE INDEX IF NOT EXISTS record_by_age ON record (expires, bytes);",
        )?;
        let bytes = connection.query_row("SELECT coalesce(sum(bytes), 0) FROM record", [], |row| row.get(0))?;
        Ok(Self { connection, limit, bytes })
    }

    fn select(&self, name: &str, now: u64) -> rusqlite::Result<Option<Vec<u8>>> {
        let mut select = self.connection.prepare_cached("SELECT value FROM record WHERE name = ? AND expires > ?")?;
        select.query_row(params![name, now], |row| row.get(0)).optional()
    }

    fn insert(&mut self, record: &Record, now: u64) -> rusqlite::Result<()> {
        let Record { name, value, ttl_seconds } = record;
        let expires = now.saturating_add(*ttl_seconds);
        self.remove(name)?;
        self.bytes -= self.remove_until(now)?.min(self.bytes);
        let (mut bytes, size) = (self.bytes, size(value));
        while bytes.saturating_add(size) > self.limit {
            let oldest: Option<u64> =
                self.connection.query_row("SELECT min(expires) FROM record", [], |row| row.get(0))?;
            let Some(oldest) = oldest else { break };
            let removed = self.remove_until(oldest)?;
            if removed == 0 {
                break;
            }
            bytes = bytes.saturating_sub(removed);
        }
        self.bytes = bytes;
        if size > self.limit {
            return Ok(());
        }
        let mut insert =
            self.connection.prepare_cached("INSERT INTO record (name, expires, bytes, value) VALUES (?, ?, ?, ?)")?;
        insert.execute(params![name, expires, size, value])?;
        self.bytes += size;
        Ok(())
    }

    /// Removes what expires at `time` or before; tells how many bytes that were.
    fn remove_until(&self, time: u64) -> rusqlite::Result<u64> {
        let mut delete = self.connection.prepare_cached("DELETE FROM record WHERE expires <= ? RETURNING bytes")?;
        let mut removed = 0;
        let mut rows = delete.query(params![time])?;
        while let Some(row) = rows.next()? {
            removed += row.get::<_, u64>(0)?;
        }
        Ok(removed)
    }

    fn remove(&mut self, name: &str) -> rusqlite::Result<()> {
        let mut delete = self.connection.prepare_cached("DELETE FROM record WHERE name = ? RETURNING bytes")?;
        let bytes: Option<u64> = delete.query_row(params![name], |row| row.get(0)).optional()?;
        self.bytes -= bytes.unwrap_or_default().min(self.bytes);
        Ok(())
    }
}

impl Store for File {
    fn get(&mut self, name: &str, now: u64) -> Result<Option<Vec<u8>>, Error> {
        self.select(name, now).map_err(|error| unavailable(&error))
    }

    fn put(&mut self, record: Record, now: u64) -> Result<(), Error> {
        self.insert(&record, now).map_err(|error| unavailable(&error))
    }

    fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.remove(name).map_err(|error| unavailable(&error))
    }
}

/// Makes the file, if it is not there yet, for its owner alone: it holds what people said.
fn create_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // What is wrong with the path SQLite tells better.
    let _ = options.open(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, bytes: usize, ttl_seconds: u64) -> Record {
        Record { name: name.to_owned(), value: vec![b'x'; bytes], ttl_seconds }
    }

    #[test]
    #[expect(clippy::unwrap_used, reason = "a test may fail so")]
    fn both_places_keep_expire_and_make_room() {
        let home = std::env::temp_dir().join(format!("any-api-store-{}", std::process::id()));
        // A process of the same number may have been killed before it could clean up.
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home).unwrap();
        let path = home.join("kept.sqlite");
        let mut file = File::open(&path, 3_000).unwrap();
        let mut memory = Memory::new(3_000);
        let steps: [(&str, u64, &[&str]); 5] = [
            ("a", 100, &["a"]),
            ("b", 110, &["a", "b"]),
            // No room: the oldest goes.
            ("c", 120, &["b", "c"]),
            ("d", 130, &["c", "d"]),
            // All have expired.
            ("e", 400, &["e"]),
        ];
        for (name, now, there) in steps {
            for (store, place) in [(&mut file as &mut dyn Store, "file"), (&mut memory, "memory")] {
                store.put(record(name, 1_000, 200), now).unwrap();
                for other in ["a", "b", "c", "d", "e"] {
                    let is_there = store.get(other, now).unwrap().is_some();
                    assert_eq!(is_there, there.contains(&other), "{other} at {now}, {place}");
                }
            }
        }
        assert_eq!((memory.records.len(), memory.order.len(), memory.bytes), (1, 1, 1_200));
        assert_eq!(file.bytes, 1_200);
        for store in [&mut file as &mut dyn Store, &mut memory] {
            store.put(record("huge", 4_000, 200), 401).unwrap();
            assert_eq!(store.get("huge", 401).unwrap(), None);
        }
        file.put(record("f", 10, 200), 402).unwrap();
        drop(file);
        // A restart.
        let mut file = File::open(&path, 3_000).unwrap();
        assert_eq!(file.get("f", 403).unwrap().map(|value| value.len()), Some(10));
        assert_eq!(file.bytes, 210);
        file.delete("f").unwrap();
        assert_eq!((file.get("f", 403).unwrap(), file.bytes), (None, 0));
        std::fs::remove_dir_all(&home).unwrap();
    }
}
