//! `async-tftp ADDRESS DIRECTORY`: the library async-tftp with the files of a directory, for reading.

use std::error::Error;

use async_tftp::server::TftpServerBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("usage: async-tftp ADDRESS DIRECTORY".into());
    };
    // The library's own reactor on this thread: no other executor costs it less.
    async_io::block_on(async {
        let server = TftpServerBuilder::with_dir_ro(directory)?.bind(address.parse()?).build().await?;
        Ok(server.serve().await?)
    })
}
