#pragma once
// The register's endpoint (formats.md § 6): POST /v1/meldinger over mutual TLS 1.3, nothing older.
//
// - A body is read in pieces, hashed, checked and written as it comes; memory does not depend on its size.
// - Every step has its deadline, connections and deliveries are bounded: what comes over is not accepted, or is
// answered
//   503 with Retry-After.
// - Requests that are refused by their head are answered at once; the rest of the body is then read and thrown away for
//   a bounded time, so that a sender that does not look up sees the answer and not a reset.
// - Connections are kept for further requests.
// - Nothing of a request is in an error answer or in the log, but for names, digests, sizes and codes.

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "register/fault.h"
#include "register/intake.h"
#include "register/log_witness.h"
#include "register/request.h"
#include "register/tls.h"

namespace tpf::reg {

struct ServerTimes {
    std::chrono::milliseconds handshake{10'000};
    std::chrono::milliseconds head{60'000};     ///< from one answer (or the handshake) to the whole next head
    std::chrono::milliseconds piece{60'000};    ///< for 256 kB of a body
    std::chrono::milliseconds answer{30'000};   ///< for one answer to be taken
    std::chrono::milliseconds discard{30'000};  ///< for the unread rest of a body
    std::chrono::milliseconds drain{10'000};    ///< for what is under way when the server is told to stop
};

struct ServerSettings {
    std::string host = {};      ///< an address, not a name
    std::uint16_t port = 8443;  ///< 0: any free one
    TlsFiles tls;
    RequestRules rules;
    unsigned threads = 2;
    unsigned max_connections = 256;
    unsigned max_deliveries = 64;  ///< bodies being received at the same time
    std::string port_file = {};    ///< when not empty: the port is written here once the server listens
    ServerTimes times = {};
    LogWitness* witness = nullptr;  ///< none: checkpoints are passed over
};

/// Serves until SIGTERM or SIGINT (then drains and returns success) or until something happened after which nothing
/// more can be promised (Code::fsync_failed). Code::config: certificate, key or address cannot be used.
[[nodiscard]] Status serve(const ServerSettings& settings, const IntakeSettings& intake, FaultPlan& faults);

}  // namespace tpf::reg
