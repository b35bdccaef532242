#pragma once
// A register's HTTPS endpoint (formats.md § 6): POST over mutual TLS 1.3, nothing older. The server's certificate is
// verified against one CA file and nothing else, its host name (or address) against subjectAltName only.
//
// One thread and one event loop per endpoint, so that nothing about a register (a look-up of its name that hangs, which
// the system's resolver does not let anyone interrupt; its processor time) holds up another.
//
// - The body is streamed in pieces of Body::kPieceBytes; memory does not depend on its length. While it is sent, the
//   answer is read: a register that refuses early is heard, and the rest is not sent.
// - Every step has its deadline (EndpointTimes).
// - A connection whose exchange ended in order is kept for the next message. When a kept one turns out to be closed
//   before a byte of an answer came, the message goes over a new one at once: sending a name again is harmless.
// - Redirects are not followed, no proxy is used, no environment variable is read.
// - What an answer means is judge()'s; what of it is charged to the register is said in poster.h.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "forward/poster.h"
#include "forward/tls_context.h"

namespace tpf::forward {

struct EndpointTimes {
    std::chrono::milliseconds connect{10'000};     ///< for each address of the host
    std::chrono::milliseconds handshake{10'000};   ///< TLS
    std::chrono::milliseconds send_stall{30'000};  ///< for one TLS record of the body (16 KiB) to be taken
    std::chrono::milliseconds answer{60'000};      ///< for the whole answer, once the body is out
    std::chrono::milliseconds idle{30'000};        ///< how long an unused connection is kept
};

struct EndpointSettings {
    std::string host;  ///< name, IPv4, or IPv6 without brackets
    std::uint16_t port = 443;
    std::string prefix;  ///< "" or "/path"; "/v1/meldinger" comes after it
    TlsFiles files;
    EndpointTimes times;
};

/// Errors: make_client_context()'s. Its destructor cuts; it can then wait as long as the resolver does for a look-up
/// under way (resolv.conf bounds it).
[[nodiscard]] Result<std::unique_ptr<Poster>> make_endpoint(const EndpointSettings& settings, FileSystem& fs,
                                                            const Clock& clock);

}  // namespace tpf::forward
