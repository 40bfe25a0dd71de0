//! GenTL.
