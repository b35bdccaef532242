#pragma once
// "Is it well, and if not, what do I do": the core's whole standing as one JSON object, what it means, and the same as
// metrics.

#include <string>

#include "daemon/control_protocol.h"
#include "daemon/core.h"

namespace tpf::daemon {

/// All but what it means. `started`: when the core did.
[[nodiscard]] Result<Json> read_status(Core& core, UtcTime started);

/// The forwarder's TLS credentials, as far as it tells when they end: [{"register", "certificate_ends",
/// "authorities_end", "ends_in_days"}]. The core never has them.
[[nodiscard]] Json forwarder_certificates(Core& core);

/// What an operator should know of a status, the worst first: [{"level":"critical"|"warning"|"note", "what":…,
/// "do":…}]. Pure: from what stands in it, `time` included.
[[nodiscard]] Json findings(const Json& status);
/// "ok", "warning" or "critical", by the worst finding.
[[nodiscard]] std::string health_of(const Json& findings);

enum class MetricsForm {
    openmetrics,  ///< OpenMetrics 1.0
    prometheus,   ///< text format 0.0.4, which node_exporter's textfile collector reads
};
/// `status` with its "health".
[[nodiscard]] std::string metrics_text(const Json& status, const Metrics::Snapshot& counted, MetricsForm form);

/// Writes the metrics for node_exporter, whole or not at all, where the configuration wants them. Not synced: nothing
/// of it is missed after a crash. Trouble is logged, once until it is over; it never stops the service. One thread at a
/// time.
class MetricsFile {
  public:
    MetricsFile(Core& core, UtcTime started) noexcept : core_(core), started_(started) {}
    void write();

  private:
    [[nodiscard]] Status try_write(const Path& file);
    Core& core_;
    UtcTime started_;
    bool said_ = false;
};

/// The forwarder's word, beside its receipts: its own standing, believed for what it is.
inline constexpr const char* kForwardStatus = "status.json";
/// So long it may be silent.
inline constexpr std::chrono::minutes kForwardSilence{3};
/// Quarantine that nobody looked at for so long.
inline constexpr std::chrono::days kOldQuarantine{90};

}  // namespace tpf::daemon
