//! One call: a function of the connection it came on and a record.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::exports::Exports;
use super::portmap::Programs;
use super::procedures::Waits;
use super::reply::Reply;
use super::reply_cache::ReplyCache;
use super::rpc::{self, Call, HeaderError, Refusal};
use super::transport::Transport;
use super::{mount, procedures, rpcbind};
use crate::rootfs::{ArchiveExtent, CallId};

/// Programs and versions that are spoken.
pub(super) const NFS_PROGRAM: u32 = nfs3_types::nfs3::PROGRAM;
pub(super) const NFS_VERSION: u32 = nfs3_types::nfs3::VERSION;
pub(super) const MOUNT_PROGRAM: u32 = nfs3_types::mount::PROGRAM;
pub(super) const MOUNT_VERSION: u32 = nfs3_types::mount::VERSION;
pub(super) const PORTMAP_PROGRAM: u32 = nfs3_types::portmap::PROGRAM;
pub(super) const PORTMAP_VERSION: u32 = nfs3_types::portmap::VERSION;
/// Later versions of the same program.
pub(super) const RPCBIND_VERSIONS: (u32, u32) = (3, 4);

/// The programs of a server: NFS, MOUNT and the port mapper, without sockets.
#[derive(Debug)]
pub struct Service {
    exports: Arc<Exports>,
    replies: ReplyCache,
    programs: Programs,
    /// Whether NFS and MOUNT are elsewhere.
    port_mapper_only: bool,
}

impl Service {
    /// Serves `exports`, and tells those who ask the port mapper that everything is at `at`, on TCP.
    pub fn new(exports: Arc<Exports>, at: SocketAddr) -> Self {
        Self { exports, replies: ReplyCache::default(), programs: Programs::new(at), port_mapper_only: false }
    }

    /// The port mapper alone, asked by the protocol of this number: NFS and MOUNT are at `at`, on TCP.
    pub(super) fn port_mapper(at: SocketAddr, asked_by: u32) -> Self {
        let programs = Programs::with_port_mapper(at, asked_by);
        Self { programs, port_mapper_only: true, ..Self::new(Exports::new(), at) }
    }

    /// Carries out the call in `record` (one whole RPC message, without record mark), and returns the reply.
    ///
    /// `None` if the record is no RPC call: the connection is of no use then. A call that must not be carried out
    /// twice (SETATTR, CREATE, MKDIR, SYMLINK, MKNOD, REMOVE, RMDIR, RENAME, LINK) and comes again gets the same reply;
    /// if it was carried out before this process began, it gets one that says so.
    pub fn call(&self, transport: &Arc<Transport>, record: &[u8]) -> Option<Reply> {
        self.answer(transport, rpc::parse(record))
    }

    /// [`Service::call`], of a record that was parsed.
    pub(super) fn answer(
        &self,
        transport: &Arc<Transport>,
        call: Result<Call<'_>, HeaderError>,
    ) -> Option<Reply> {
        let peer = transport.peer;
        let mut call = match call {
            Ok(call) => call,
            Err(HeaderError::Denied(reply)) => return Some(reply.into()),
            Err(HeaderError::NotACall) => return None,
        };
        transport.note_call(call.xid);
        let repeatable = call.program != NFS_PROGRAM || !procedures::is_non_idempotent(call.procedure);
        if repeatable || !self.serves(peer) {
            return self.carry_out(peer, &call);
        }
        let id = CallId::new(call.xid, call.record);
        call.caller.call = Some(id);
        let has_effect = || {
            let context = procedures::Context { exports: &self.exports, peer, who: &call.caller };
            procedures::has_effect(&context, call.procedure, call.arguments.clone())
        };
        // No such call gives file data.
        let carry_out = || self.carry_out(peer, &call).map(|reply| reply.bytes);
        self.replies.reply(transport, id, has_effect, carry_out).map(Reply::from)
    }

    /// Whether `peer` has something to write large calls to.
    pub(super) fn serves(&self, peer: IpAddr) -> bool {
        self.exports.has(peer)
    }

    /// Whether `call` waits for a disk, so that others would wait behind it. Where it may and may not, `others` tells whether
    /// there are any.
    pub(super) fn holds_others_up(
        &self,
        peer: IpAddr,
        call: &Call<'_>,
        others: impl FnOnce() -> bool,
    ) -> bool {
        let procedure = call.procedure;
        if call.program != NFS_PROGRAM
            || !procedures::moves_data(procedure) && !procedures::is_non_idempotent(procedure)
        {
            return false;
        }
        match procedures::waits(&self.exports, peer, procedure, call.arguments.clone()) {
            Waits::No => false,
            Waits::Perhaps => others(),
            Waits::Yes => true,
        }
    }

    fn carry_out(&self, peer: IpAddr, call: &Call<'_>) -> Option<Reply> {
        let carried_out = rpc::accepted(call.xid).and_then(|mut bytes| {
            let data = self.dispatch(peer, call, &mut bytes)?;
            Ok(Reply { bytes, data })
        });
        carried_out.map_or_else(|refusal| rpc::refused(call.xid, refusal).map(Reply::from), Some)
    }

    fn dispatch(
        &self,
        peer: IpAddr,
        call: &Call<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<ArchiveExtent>, Refusal> {
        let procedure = call.procedure;
        let arguments = &mut call.arguments.clone();
        match (call.program, call.version) {
            (program, _) if self.port_mapper_only && program != PORTMAP_PROGRAM => {
                Err(Refusal::ProgramUnavailable)
            }
            (NFS_PROGRAM, NFS_VERSION) => {
                let context = procedures::Context { exports: &self.exports, peer, who: &call.caller };
                procedures::call(&context, procedure, arguments, out)
            }
            (MOUNT_PROGRAM, MOUNT_VERSION) => {
                mount::call(&self.exports, peer, procedure, arguments, out).map(|()| None)
            }
            (PORTMAP_PROGRAM, PORTMAP_VERSION) => {
                self.programs.call(procedure, arguments, out).map(|()| None)
            }
            (PORTMAP_PROGRAM, version) if version == RPCBIND_VERSIONS.0 || version == RPCBIND_VERSIONS.1 => {
                rpcbind::call(&self.programs, (version, procedure), arguments, out).map(|()| None)
            }
            (NFS_PROGRAM, _) => Err(Refusal::ProgramMismatch(NFS_VERSION, NFS_VERSION)),
            (MOUNT_PROGRAM, _) => Err(Refusal::ProgramMismatch(MOUNT_VERSION, MOUNT_VERSION)),
            (PORTMAP_PROGRAM, _) => Err(Refusal::ProgramMismatch(PORTMAP_VERSION, RPCBIND_VERSIONS.1)),
            _ => Err(Refusal::ProgramUnavailable),
        }
    }
}
