//! Encodes and decodes answers: a line of JSON, then the text of a message as it is.

use std::io::{self, Read};
use std::ops::Range;

use bytes::Buf;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::message::Message;
use super::protocol::Answer;

/// Bytes that are read or written at a time.
const BLOCK: usize = 128 * 1024;

/// A text of at least this many bytes is written without a copy.
const LARGE: usize = 4096;

/// An encoded answer.
#[derive(Debug)]
pub(super) struct Frame {
    line: Vec<u8>,
    text: Vec<u8>,
}

impl Frame {
    /// Encodes an answer. Only [`Answer::Said`] has a text. Its length must be the `length` of the
    /// message.
    ///
    /// # Errors
    ///
    /// Fails if the answer cannot be written as JSON.
    pub(super) fn new(answer: &Answer, text: Vec<u8>) -> io::Result<Self> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        Ok(Self { line, text })
    }
}

/// Writes frames. It collects small frames until [`flush`](Self::flush).
#[derive(Debug)]
pub(super) struct FrameWriter<W> {
    to: W,
    block: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, block: Vec::new() }
    }

    /// Adds a frame. Writes the collected frames if they fill a block.
    ///
    /// # Errors
    ///
    /// Returns the errors of the writer.
    pub(super) async fn add(&mut self, frame: &Frame) -> io::Result<()> {
        let Frame { line, text } = frame;
        self.block.extend_from_slice(line);
        if text.len() >= LARGE {
            self.to.write_all_buf(&mut Buf::chain(&*self.block, &**text)).await?;
            self.block.clear();
            return Ok(());
        }
        self.block.extend_from_slice(text);
        if self.block.len() >= BLOCK { self.flush().await } else { Ok(()) }
    }

    /// Writes all collected frames.
    ///
    /// # Errors
    ///
    /// Returns the errors of the writer.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.block).await?;
        self.block.clear();
        Ok(())
    }
}

/// Reads answers one after the other.
#[derive(Debug)]
pub struct Frames<R> {
    from: R,
    buffer: Vec<u8>,
    /// The bytes in the buffer that belong to later frames.
    ahead: Range<usize>,
    /// The bytes of the last answer's text.
    text: Range<usize>,
}

impl<R: Read> Frames<R> {
    /// Reads frames from a socket.
    pub fn new(from: R) -> Self {
        Self { from, buffer: vec![0; BLOCK], ahead: 0..0, text: 0..0 }
    }

    /// Reads the next answer.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if the input ends before the frame is complete.
    /// [`io::ErrorKind::InvalidData`] if the input is not an answer. Otherwise the errors of the
    /// reader.
    pub fn read(&mut self) -> io::Result<Answer> {
        self.text = 0..0;
        let length = loop {
            match self.ahead().iter().position(|byte| *byte == b'\n') {
                Some(length) => break length,
                None => self.read_more()?,
            }
        };
        let line = self.ahead().get(..length).unwrap_or_default();
        let answer = serde_json::from_slice(line)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.ahead.start += length + 1;
        if let Answer::Said(Message { length, .. }) = &answer {
            while (self.ahead.len() as u64) < *length {
                self.read_more()?;
            }
            let end = self.ahead.start + usize::try_from(*length).unwrap_or_default();
            self.text = self.ahead.start..end;
            self.ahead.start = end;
        }
        Ok(answer)
    }

    /// Returns the text of the last answer. It is empty if the answer has none.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.buffer.get(self.text.clone()).unwrap_or_default()
    }

    /// Whether the line of the next answer is already in the buffer, so that it can be returned
    /// without waiting.
    #[must_use]
    pub fn is_next_here(&self) -> bool {
        self.ahead().contains(&b'\n')
    }

    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.ahead.clone()).unwrap_or_default()
    }

    /// Reads the available bytes. The buffer grows only when it is full.
    fn read_more(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.ahead.clone(), 0);
        self.ahead = 0..self.ahead.len();
        if self.ahead.end == self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        let room = self.buffer.get_mut(self.ahead.end..).unwrap_or_default();
        match self.from.read(room) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.ahead.end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use futures::FutureExt as _;
    use onward::exec::LogMessage;

    use super::*;

    /// Returns the encoded frames of these texts.
    fn sent(texts: &[&[u8]]) -> Vec<u8> {
        let mut writer = FrameWriter::new(Vec::new());
        for text in texts {
            let message = Message::new("web", &LogMessage::stderr(*text));
            let frame = Frame::new(&Answer::Said(message), text.to_vec()).unwrap();
            writer.add(&frame).now_or_never().unwrap().unwrap();
        }
        writer.flush().now_or_never().unwrap().unwrap();
        writer.to
    }

    #[test]
    fn any_text_is_read_as_it_was_written() {
        let texts =
            [b"a \"line\"\n".to_vec(), Vec::new(), b"\xff\0\n\n".to_vec(), vec![b'x'; 200_000]];
        let sent = sent(&texts.each_ref().map(|text| &**text));
        let mut frames = Frames::new(&*sent);
        for text in texts {
            let answer = frames.read().unwrap();
            assert!(matches!(answer, Answer::Said(message) if message.task == "web"));
            assert_eq!(frames.text(), text);
        }
        assert_eq!(frames.read().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn the_line_of_a_message_is_json_and_its_text_is_not() {
        let sent = String::from_utf8(sent(&[b"two\nlines\n"])).unwrap();
        let time = "1970-01-01T00:00:00.000000000Z";
        let line =
            format!(r#"{{"said":{{"task":"web","time":"{time}","stream":"stderr","length":10}}}}"#);
        assert_eq!(sent, format!("{line}\ntwo\nlines\n"));
    }

    #[test]
    fn an_incomplete_frame_is_an_error() {
        let sent = sent(&[b"a line\n"]);
        for length in 0..sent.len() {
            let error = Frames::new(&sent[..length]).read().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}");
        }
        let huge = br#"{"said":{"task":"a","time":"1970-01-01T00:00:00.000000000Z","stream":"stdout","length":18446744073709551615}}
x"#;
        let error = Frames::new(&huge[..]).read().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
