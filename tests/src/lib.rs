//! Workspace tests of Natterjack.
