//! Event files for TensorBoard: scalars and pictures by step.
//!
//! A file is a sequence of records. Each consists of the length of a message (u64), a checksum of
//! the length, the message, and a checksum of the message. Numbers are little-endian. Messages are
//! of the type `Event` in TensorFlow's `event.proto`; only the fields that are written are declared
//! here.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

/// The version that readers expect in the first event of a file.
const VERSION: &str = "brain.Event:2";
/// The state of a [`SessionLog`] after which readers discard later steps of an earlier session.
const START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Picture>,
}

#[derive(Clone, PartialEq, Message)]
struct Picture {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 3 for RGB.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    encoded: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// An open event file.
#[derive(Debug)]
pub struct Events {
    file: File,
}

impl Events {
    /// Creates an event file in a folder, for a session that starts after `step` steps.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn create(folder: &Path, step: u64) -> io::Result<Events> {
        std::fs::create_dir_all(folder)?;
        // Readers sort the files of a folder by name.
        let (seconds, process) = (now() as u64, std::process::id());
        let name = format!("events.out.tfevents.{seconds:010}.pixelrnn.{process}");
        let file = OpenOptions::new().write(true).create_new(true).open(folder.join(name))?;
        let mut events = Events { file };
        events.write(&Event { file_version: Some(VERSION.to_string()), ..event(0) })?;
        let session_log = Some(SessionLog { status: START });
        events.write(&Event { session_log, ..event(step) })?;
        Ok(events)
    }

    /// Appends scalars by tag.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> io::Result<()> {
        let value = |&(tag, value): &(&str, f64)| SummaryValue {
            tag: tag.to_string(),
            simple_value: Some(value as f32),
            image: None,
        };
        let summary = Some(Summary { value: values.iter().map(value).collect() });
        self.write(&Event { summary, ..event(step) })
    }

    /// Appends a PNG file of this width and height.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn picture(
        &mut self,
        step: u64,
        tag: &str,
        size: [usize; 2],
        png: &[u8],
    ) -> io::Result<()> {
        let [width, height] = size.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let image = Picture { height, width, colorspace: 3, encoded: png.to_vec() };
        let value = SummaryValue { tag: tag.to_string(), simple_value: None, image: Some(image) };
        self.write(&Event { summary: Some(Summary { value: vec![value] }), ..event(step) })
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let message = event.encode_to_vec();
        let length = (message.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(checksum(&length).to_le_bytes());
        record.extend(&message);
        record.extend(checksum(&message).to_le_bytes());
        self.file.write_all(&record)
    }
}

/// An event with the current time and no content.
fn event(step: u64) -> Event {
    Event { wall_time: now(), step: i64::try_from(step).unwrap_or(i64::MAX), ..Event::default() }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The masked CRC-32C of the record format.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the messages of a file, and verifies their checksums.
    fn read(bytes: &[u8]) -> Vec<Event> {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let (mut events, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let length = number(at) as usize;
            assert_eq!(number(at + 4), 0, "the high half of the length");
            assert_eq!(number(at + 8), checksum(&bytes[at..at + 8]));
            let message = &bytes[at + 12..at + 12 + length];
            assert_eq!(number(at + 12 + length), checksum(message));
            events.push(Event::decode(message).expect("a message"));
            at += 16 + length;
        }
        events
    }

    #[test]
    fn a_file_reads_back() {
        // CRC-32C of "123456789" is 0xe3069283.
        let masked = 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(checksum(b"123456789"), masked);
        let folder = tempfile::tempdir().expect("a folder");
        let mut events = Events::create(&folder.path().join("new"), 40).expect("a file");
        events.scalars(60, &[("a", 1.5), ("b", -2.0)]).expect("scalars");
        events.picture(80, "p", [3, 2], b"png").expect("a picture");
        let path = std::fs::read_dir(folder.path().join("new")).expect("a folder").next();
        let path = path.expect("a file").expect("a name").path();
        let read = read(&std::fs::read(path).expect("bytes"));
        assert_eq!(read.len(), 4);
        assert_eq!(read[0].file_version.as_deref(), Some(VERSION));
        assert_eq!((read[1].step, &read[1].session_log), (40, &Some(SessionLog { status: START })));
        let values = &read[2].summary.as_ref().expect("a summary").value;
        let scalars: Vec<_> = values.iter().map(|v| (v.tag.as_str(), v.simple_value)).collect();
        assert_eq!((read[2].step, scalars), (60, vec![("a", Some(1.5)), ("b", Some(-2.0))]));
        let picture = read[3].summary.as_ref().expect("a summary").value[0].image.as_ref();
        assert_eq!(picture.map(|p| (p.width, p.height, &p.encoded[..])), Some((3, 2, &b"png"[..])));
        assert!(read.iter().all(|event| event.wall_time > 1.6e9));
    }
}
