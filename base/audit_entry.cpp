#include "base/audit_entry.h"

namespace tpf {

std::string_view to_string(AuditKind kind) noexcept {
    switch (kind) {
        case AuditKind::start:
            return "start";
        case AuditKind::stop:
            return "stop";
        case AuditKind::configuration:
            return "configuration";
        case AuditKind::key_event:
            return "key";
        case AuditKind::received:
            return "received";
        case AuditKind::duplicate:
            return "duplicate";
        case AuditKind::held:
            return "held";
        case AuditKind::claimed:
            return "claimed";
        case AuditKind::pseudonymised:
            return "pseudonymised";
        case AuditKind::answered:
            return "answered";
        case AuditKind::delivered:
            return "delivered";
        case AuditKind::quarantined:
            return "quarantined";
        case AuditKind::retried:
            return "retried";
        case AuditKind::discarded:
            return "discarded";
        case AuditKind::receipt_refused:
            return "receipt-refused";
        case AuditKind::removed:
            return "removed";
        case AuditKind::operator_action:
            return "operator";
        case AuditKind::rebuilt:
            return "rebuilt";
        case AuditKind::log_origin:
            return "log-origin";
        case AuditKind::witnessed:
            return "witnessed";
        case AuditKind::contradicted:
            return "contradicted";
        case AuditKind::list_deleted:
            return "list-deleted";
        case AuditKind::segment_closed:
            return "segment-closed";
    }
    return "unknown";
}

}  // namespace tpf
