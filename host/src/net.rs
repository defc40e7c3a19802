//! Where sockets are made: in the runner's own network, or in the network of the virtual boards.
