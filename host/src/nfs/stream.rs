//! The calls of one connection: read by one thread at a time, which answers what waits for nothing.
//!
//! When a call may wait for a disk and others wait behind it, the thread takes it along and leaves the reading to the
//! next one: such calls are carried out in parallel, all others in the order of their arrival.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::connections::Connection;
use super::record::{self, Record, RecordError, Records, Wire};
use super::reply::Reply;
use super::rpc;
use super::service::Service;

/// Threads of one connection, and so calls that may wait for a disk at the same time.
const MAX_THREADS: usize = 4;
/// Stack of a thread, in bytes: no call needs much.
const STACK: usize = 256 << 10;
/// Replies that are sent together while more calls are here already, in bytes.
const MAX_BATCH: usize = 64 << 10;
/// How often nothing else must have come for a client to be believed to make one call after the other.
const ALONE: u32 = 16;
/// The largest reply that is copied to be sent together with others, in bytes.
const MAX_COPIED: usize = 16 << 10;

/// A connection that is being served.
#[derive(Debug)]
pub(super) struct Stream<E> {
    connection: Arc<Connection>,
    service: Arc<Service>,
    patience: Duration,
    input: Mutex<Input>,
    /// Held while a message goes out.
    output: Mutex<()>,
    threads: AtomicUsize,
    /// Threads that wait for their turn to read.
    idle: AtomicUsize,
    /// Dropped with the last thread.
    _ended: E,
}

#[derive(Debug, Default)]
struct Input {
    records: Records,
    /// Replies that were not sent yet.
    batch: Vec<u8>,
    /// How often in succession nothing had come while a call was answered.
    alone: u32,
    /// Nothing more is to be read.
    closed: bool,
}

impl Input {
    /// Whether another whole message is here, or has come meanwhile. Who makes one call after the other is not asked each
    /// time.
    fn has_another(&mut self, wire: Wire<'_>) -> Result<bool, RecordError> {
        if self.records.has_whole() {
            self.alone = 0;
            return Ok(true);
        }
        let ask = self.alone < ALONE || self.alone.is_multiple_of(ALONE);
        self.alone = self.alone.wrapping_add(1);
        if ask && self.records.gather(wire)? {
            self.alone = 0;
        }
        Ok(self.records.has_whole())
    }
}

/// Serves `connection` on threads of its own until it ends; `ended` is dropped then. `patience` is how long the peer may
/// stall within a message.
///
/// # Errors
/// If no thread can be had.
pub(super) fn serve<E: Send + Sync + 'static>(
    connection: Arc<Connection>,
    service: Arc<Service>,
    patience: Duration,
    ended: E,
) -> io::Result<()> {
    Arc::new(Stream {
        connection,
        service,
        patience,
        input: Mutex::default(),
        output: Mutex::default(),
        threads: AtomicUsize::new(0),
        idle: AtomicUsize::new(0),
        _ended: ended,
    })
    .add_thread()
}

impl<E: Send + Sync + 'static> Stream<E> {
    fn add_thread(self: Arc<Self>) -> io::Result<()> {
        let name = format!("nfs {}", self.connection.transport.peer);
        self.threads.fetch_add(1, Ordering::Relaxed);
        let builder = thread::Builder::new().name(name).stack_size(STACK);
        let served = Arc::clone(&self);
        let spawned = builder.spawn(move || served.run()).map(drop);
        if spawned.is_err() {
            self.threads.fetch_sub(1, Ordering::Relaxed);
        }
        spawned
    }

    fn run(self: Arc<Self>) {
        if self.take_turns().is_err() {
            // What went wrong is the peer's affair: it sees its connection end.
            self.connection.transport.note_cut();
            self.connection.end();
        }
    }

    fn take_turns(self: &Arc<Self>) -> Result<(), RecordError> {
        let wire = Wire::new(self.connection.socket.as_fd(), self.patience)?;
        // Allocated once a thread: what one thread frees is of little use to another.
        let mut spare = Vec::new();
        while let Some(call) = self.read(wire, spare)? {
            let reply =
                self.service.call(&self.connection.transport, call.bytes()).ok_or(RecordError::NotACall)?;
            self.send(wire, &[], Some(&reply))?;
            spare = call.into_spare();
        }
        Ok(())
    }

    /// Waits for the turn to read, and answers calls until one is better taken along; `None` at the end of the stream.
    fn read(self: &Arc<Self>, wire: Wire<'_>, spare: Vec<u8>) -> Result<Option<Record>, RecordError> {
        let mut input = self.await_turn();
        if input.closed {
            return Ok(None);
        }
        let taken = self.read_from(wire, &mut input, spare);
        input.closed = !matches!(taken, Ok(Some(_)));
        if !input.closed {
            self.leave_reading_to_others();
        }
        taken
    }

    fn await_turn(&self) -> MutexGuard<'_, Input> {
        self.idle.fetch_add(1, Ordering::AcqRel);
        let input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        self.idle.fetch_sub(1, Ordering::AcqRel);
        input
    }

    /// Sees to it that there is a thread that reads on, unless there are enough.
    fn leave_reading_to_others(self: &Arc<Self>) {
        if self.idle.load(Ordering::Acquire) == 0 && self.threads.load(Ordering::Relaxed) < MAX_THREADS {
            // Without it, this thread reads on when it is done.
            let _ = Arc::clone(self).add_thread();
        }
    }

    fn read_from(
        &self,
        wire: Wire<'_>,
        input: &mut Input,
        spare: Vec<u8>,
    ) -> Result<Option<Record>, RecordError> {
        let transport = &self.connection.transport;
        let peer = transport.peer;
        loop {
            if !input.batch.is_empty() && (input.batch.len() >= MAX_BATCH || !input.has_another(wire)?) {
                // Nothing more can be answered without waiting.
                self.send(wire, &input.batch, None)?;
                input.batch.clear();
            }
            let Input { records, batch, .. } = &mut *input;
            let Some(place) = records.next(wire, || self.service.serves(peer))? else { return Ok(None) };
            self.connection.active();
            let call = rpc::parse(records.get(place.clone()));
            let others = || records.has_more() || wire.is_waiting();
            if call.as_ref().is_ok_and(|call| self.service.holds_others_up(peer, call, others)) {
                if !batch.is_empty() {
                    self.send(wire, batch, None)?;
                    batch.clear();
                }
                return Ok(Some(records.take(place, spare)));
            }
            let reply = self.service.answer(transport, call).ok_or(RecordError::NotACall)?;
            if reply.data.is_none() && reply.bytes.len() <= MAX_COPIED {
                record::append(batch, &reply)?;
            } else {
                self.send(wire, batch, Some(&reply))?;
                batch.clear();
            }
        }
    }

    fn send(&self, wire: Wire<'_>, batch: &[u8], last: Option<&Reply>) -> Result<(), RecordError> {
        let _turn = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        wire.send(batch, last)
    }
}
