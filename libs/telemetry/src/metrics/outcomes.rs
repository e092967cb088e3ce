//! The fixed words that labels take.

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every word, as it stands in the label.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word in the label.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// How a command ended; the label `outcome`.
    CommandOutcome {
        /// Events were stored, or nothing had to change.
        Done = "done",
        /// The answer of an earlier request with the same id was given again.
        Repeated = "repeated",
        /// The rules said no.
        Rejected = "rejected",
        /// Another writer was faster, too often.
        LostRace = "lost_race",
        /// The commit may or may not have happened.
        Unknown = "unknown",
        /// The store failed.
        Failed = "failed",
    }
}

words! {
    /// What the store said to one append; the label `outcome`.
    AppendOutcome {
        /// It is committed.
        Stored = "stored",
        /// Somebody else wrote the next version of the stream.
        LostRace = "lost_race",
        /// The request was carried out before.
        DuplicateRequest = "duplicate_request",
        /// Another stream holds the name.
        ClaimTaken = "claim_taken",
        /// Nothing happened, for a passing reason.
        Unavailable = "unavailable",
        /// The server refused the statement for good.
        Refused = "refused",
        /// The commit may or may not have happened.
        Unknown = "unknown",
    }
}

words! {
    /// Why events that the bus should have brought were read from the log; the label `cause`.
    BackfillCause {
        /// A number was missing in what the bus brought.
        Hole = "hole",
        /// The content did not match its digest, or could not be read at all.
        Digest = "digest",
        /// The bus could not be reached.
        Unreachable = "unreachable",
        /// The bus brought nothing although the log went on.
        Silent = "silent",
        /// The stream was not followed before: what it carried meanwhile.
        Start = "start",
        /// The content may not leave the database, so that the bus only refers to it.
        Reference = "reference",
    }
}

words! {
    /// What happened to a lease; the label `change`.
    LeaseChange {
        /// It was free and is held now.
        Taken = "taken",
        /// Another owner let it expire or had to give way, and it is held now.
        TakenOver = "taken_over",
        /// It was given up on purpose.
        Released = "released",
        /// Another owner has it now.
        Lost = "lost",
    }
}

words! {
    /// Why a consumer or a batch failed; the label `cause`.
    FailureCause {
        /// The database or the connection to it.
        Database = "database",
        /// Somebody else moved on with the lease.
        Fenced = "fenced",
        /// The handler cannot go on.
        Stopped = "stopped",
        /// What it reads is damaged.
        Feed = "feed",
        /// What it was told is not what the log says.
        OtherHistory = "other_history",
        /// One event could not be applied and was parked.
        Poison = "poison",
        /// The batch took longer than its deadline.
        Deadline = "deadline",
    }
}

words! {
    /// Why a batch was not acknowledged by JetStream; the label `cause`.
    RelayFailure {
        /// An acknowledgement did not come in time.
        NoAcknowledgement = "no_acknowledgement",
        /// The stream goes on from another number than expected: somebody else published.
        Sequence = "sequence",
        /// The connection failed.
        Connection = "connection",
        /// JetStream refused for another reason, such as a full store.
        Refused = "refused",
    }
}

words! {
    /// A part of a process; the label `part`.
    Part {
        /// Whoever publishes the log.
        Relay = "relay",
        /// Whoever follows it.
        Consumer = "consumer",
    }
}
