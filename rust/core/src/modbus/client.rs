//! Requests and answers over TCP. Frames are `rmodbus`'s; whose answer it is, how long it is and
//! whether it echoes the request is checked here first, for a PLC's answer is input.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rmodbus::client::ModbusRequest;
use rmodbus::{ErrorKind, ModbusProto, guess_response_frame_len};

use super::Address;
use crate::clock::{MS, SEC, monotonic_ns};
use crate::error::Error;

/// Bytes before the unit: transaction, protocol, length.
const HEAD: usize = 6;
/// Least and greatest time between two tries to connect.
const FIRST_RETRY_NS: i64 = 20 * MS;
const LAST_RETRY_NS: i64 = 2 * SEC;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The PLC said no: it was not done.
    Refused(String),
    /// There is no connection, so that it was never sent.
    NotSent(String),
    /// No answer, or none that could be understood: it may have been done. The connection is closed.
    Unknown(String),
}

impl Failure {
    pub(crate) fn problem(&self) -> &str {
        match self {
            Self::Refused(problem) | Self::NotSent(problem) | Self::Unknown(problem) => problem,
        }
    }

    pub(crate) fn error(&self, uri: &str) -> Error {
        Error::Device { uri: uri.into(), problem: self.problem().into() }
    }
}

type Done<T> = std::result::Result<T, Failure>;

/// Where something stands in a PLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Coil,
    Discrete,
    Holding,
    Input,
}

/// One connection, made anew when it was lost.
#[derive(Debug)]
pub(crate) struct Client {
    address: Address,
    stream: Option<TcpStream>,
    transaction: u16,
    retry_ns: i64,
    backoff_ns: i64,
    problem: String,
}

impl Client {
    pub(crate) fn new(address: Address) -> Self {
        let problem = "not connected yet".into();
        let (stream, transaction) = (None, 0);
        Self { address, stream, transaction, retry_ns: 0, backoff_ns: FIRST_RETRY_NS, problem }
    }

    pub(crate) fn uri(&self) -> &str {
        &self.address.uri
    }

    pub(crate) fn connected(&self) -> bool {
        self.stream.is_some()
    }

    /// What the last loss of the connection said.
    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }

    /// When a lost connection is tried again.
    pub(crate) fn retry_ns(&self) -> i64 {
        self.retry_ns
    }

    /// Connects now, if it is not connected.
    pub(crate) fn connect(&mut self) -> Done<()> {
        if self.stream.is_some() {
            return Ok(());
        }
        match self.try_connect() {
            Ok(stream) => {
                self.stream = Some(stream);
                self.backoff_ns = FIRST_RETRY_NS;
                Ok(())
            }
            Err(why) => {
                let Address { host, port, .. } = &self.address;
                self.problem = format!("no connection to {host} port {port}: {why}");
                self.retry_ns = monotonic_ns() + self.backoff_ns;
                self.backoff_ns = (2 * self.backoff_ns).min(LAST_RETRY_NS);
                Err(Failure::NotSent(self.problem.clone()))
            }
        }
    }

    /// Connects if it is not connected and it is time to try again.
    pub(crate) fn connect_when_due(&mut self, now_ns: i64) -> Done<()> {
        if self.stream.is_none() && now_ns < self.retry_ns {
            return Err(Failure::NotSent(self.problem.clone()));
        }
        self.connect()
    }

    fn timeout(&self) -> Duration {
        Duration::from_nanos(self.address.timeout_ns.unsigned_abs())
    }

    fn try_connect(&self) -> std::io::Result<TcpStream> {
        let place = (self.address.host.as_str(), self.address.port);
        let mut last = std::io::Error::other("the name has no address");
        for address in place.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.timeout()) {
                Ok(stream) => {
                    // A request is one small segment, and waits for nothing.
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(self.timeout()))?;
                    stream.set_write_timeout(Some(self.timeout()))?;
                    return Ok(stream);
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// Reads registers into `values`.
    pub(crate) fn read(&mut self, table: Table, from: u16, values: &mut [u16]) -> Done<()> {
        let count = values.len() as u16;
        let answer = self.ask(9 + 2 * values.len(), false, |request, frame| match table {
            Table::Input => request.generate_get_inputs(from, count, frame),
            _ => request.generate_get_holdings(from, count, frame),
        })?;
        for (value, bytes) in values.iter_mut().zip(answer[9..].chunks_exact(2)) {
            *value = u16::from_be_bytes([bytes[0], bytes[1]]);
        }
        Ok(())
    }

    /// Reads one bit.
    pub(crate) fn read_bit(&mut self, table: Table, at: u16) -> Done<bool> {
        let answer = self.ask(10, false, |request, frame| match table {
            Table::Discrete => request.generate_get_discretes(at, 1, frame),
            _ => request.generate_get_coils(at, 1, frame),
        })?;
        Ok(answer[9] & 1 == 1)
    }

    /// Writes one coil.
    pub(crate) fn write_coil(&mut self, at: u16, on: bool) -> Done<()> {
        let ask = |request: &mut ModbusRequest, frame: &mut Vec<u8>| {
            request.generate_set_coil(at, u8::from(on), frame)
        };
        self.ask(12, true, ask).map(|_| ())
    }

    /// Writes registers, all of them or none.
    pub(crate) fn write(&mut self, from: u16, values: &[u16]) -> Done<()> {
        let ask = |request: &mut ModbusRequest, frame: &mut Vec<u8>| match values {
            [value] => request.generate_set_holding(from, *value, frame),
            _ => request.generate_set_holdings_bulk(from, values, frame),
        };
        self.ask(12, true, ask).map(|_| ())
    }

    /// One request and its answer, which must be `length` bytes long; with `echo` it repeats the
    /// request's address and its value or count.
    fn ask(
        &mut self,
        length: usize,
        echo: bool,
        make: impl FnOnce(&mut ModbusRequest, &mut Vec<u8>) -> Result<(), ErrorKind>,
    ) -> Done<Vec<u8>> {
        self.transaction = self.transaction.wrapping_add(1);
        let mut request = ModbusRequest::new_tcp_udp(self.address.unit, self.transaction);
        let mut frame = Vec::with_capacity(64);
        make(&mut request, &mut frame)
            .map_err(|why| Failure::NotSent(format!("no such request: {why}")))?;
        let Some(stream) = &mut self.stream else {
            return Err(Failure::NotSent(self.problem.clone()));
        };
        let answer = stream.write_all(&frame).and_then(|()| receive(stream));
        let judged = match answer {
            Ok(answer) => judge(&request, &frame, answer, length, echo),
            Err(why) => Err(Failure::Unknown(format!("no answer: {why}"))),
        };
        if let Err(Failure::Unknown(problem)) = &judged {
            // An answer that comes later must not be taken for that of the next request.
            self.stream = None;
            self.problem = problem.clone();
            self.retry_ns = 0;
        }
        judged
    }
}

fn receive(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = vec![0; HEAD];
    stream.read_exact(&mut answer)?;
    let length = guess_response_frame_len(&answer, ModbusProto::TcpUdp)
        .map_err(|why| std::io::Error::other(format!("no Modbus frame: {why}")))?;
    if usize::from(length) < HEAD + 3 {
        return Err(std::io::Error::other("a Modbus frame that holds nothing"));
    }
    answer.resize(usize::from(length), 0);
    stream.read_exact(&mut answer[HEAD..])?;
    Ok(answer)
}

fn judge(
    request: &ModbusRequest,
    frame: &[u8],
    answer: Vec<u8>,
    length: usize,
    echo: bool,
) -> Done<Vec<u8>> {
    let unknown = |problem: String| Err(Failure::Unknown(problem));
    if answer[..4] != frame[..4] || answer[HEAD] != frame[HEAD] {
        return unknown("an answer to another request".into());
    }
    if answer[HEAD + 1] == frame[HEAD + 1] | 0x80 {
        let why = ErrorKind::from_modbus_error(answer[HEAD + 2]);
        let (register, count) = (request.reg, request.count);
        return Err(Failure::Refused(format!(
            "refused: {why} (address {register}, count {count})"
        )));
    }
    if answer.len() != length || answer[HEAD + 1] != frame[HEAD + 1] {
        return unknown(format!("an answer of {} bytes; {length} would be one", answer.len()));
    }
    if echo && answer[8..12] != frame[8..12] {
        return unknown("an answer that does not repeat its request".into());
    }
    if !echo && usize::from(answer[8]) != length - 9 {
        return unknown("an answer that holds another number of values".into());
    }
    match request.parse_ok(&answer) {
        Ok(()) => Ok(answer),
        Err(why) => unknown(format!("no answer that can be understood: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that answers one request with these bytes after the transaction's number.
    fn answers(bytes: &'static [u8]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 12];
            stream.read_exact(&mut asked).unwrap();
            let mut answer = asked[..2].to_vec();
            answer.extend(bytes);
            stream.write_all(&answer).unwrap();
        });
        let mut client = Client::new(Address {
            uri: "modbus://test".into(),
            host: "127.0.0.1".into(),
            port,
            unit: 1,
            timeout_ns: 2 * SEC,
        });
        client.connect().unwrap();
        client
    }

    #[test]
    fn the_bytes_on_the_wire_are_modbus_tcps() {
        // Modbus Messaging on TCP/IP 1.0b, 3.1.3; Application Protocol 1.1b3, 6.3.
        let mut client = answers(&[0, 0, 0, 7, 1, 3, 4, 0x12, 0x34, 0x56, 0x78]);
        let mut values = [0; 2];
        client.read(Table::Holding, 10, &mut values).unwrap();
        assert_eq!(values, [0x1234, 0x5678]);
    }

    #[test]
    fn an_exception_is_a_refusal_and_keeps_the_connection() {
        let mut client = answers(&[0, 0, 0, 3, 1, 0x85, 2]);
        let refused = client.write_coil(99, true).unwrap_err();
        assert!(matches!(&refused, Failure::Refused(why) if why.contains("99")), "{refused:?}");
        assert!(client.connected());
    }

    #[test]
    fn answers_that_are_none_close_the_connection_and_are_unknown() {
        for bytes in [
            &[0, 9, 0, 7, 1, 3, 4, 1, 2, 3, 4][..],
            &[0, 0, 0, 7, 2, 3, 4, 1, 2, 3, 4],
            &[0, 0, 0, 7, 1, 4, 4, 1, 2, 3, 4],
            &[0, 0, 0, 5, 1, 3, 2, 1, 2],
            &[0, 0, 0, 7, 1, 3, 2, 1, 2, 3, 4],
            &[0, 0, 0, 3, 1, 3, 0],
            &[0, 0, 0, 1, 1],
            &[0, 0, 0xFF, 0xFF, 1, 3, 4, 1, 2, 3, 4],
            &[0, 0, 0, 7, 1, 3, 4, 1],
        ] {
            let mut client = answers(bytes);
            let mut values = [0; 2];
            let failure = client.read(Table::Holding, 10, &mut values).unwrap_err();
            assert!(matches!(failure, Failure::Unknown(_)), "{bytes:?}: {failure:?}");
            assert!(!client.connected());
        }
    }

    #[test]
    fn a_write_must_be_repeated_by_its_answer() {
        let mut client = answers(&[0, 0, 0, 6, 1, 5, 0, 7, 0, 0]);
        assert!(matches!(client.write_coil(7, true), Err(Failure::Unknown(_))));
        let mut client = answers(&[0, 0, 0, 6, 1, 5, 0, 7, 0xFF, 0]);
        client.write_coil(7, true).unwrap();
    }

    #[test]
    fn nobody_there_is_not_sent_and_tried_later_and_later() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = "127.0.0.1".to_owned();
        let uri = "modbus://test".to_owned();
        let mut client = Client::new(Address { uri, host, port, unit: 1, timeout_ns: SEC });
        assert!(matches!(client.connect(), Err(Failure::NotSent(_))));
        let first_ns = client.backoff_ns;
        assert!(matches!(client.connect_when_due(0), Err(Failure::NotSent(_))));
        assert_eq!(client.backoff_ns, first_ns, "not yet tried again");
        assert!(client.connect_when_due(i64::MAX).is_err());
        assert!(client.backoff_ns > first_ns);
    }
}
