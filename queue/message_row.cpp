#include "queue/message_row.h"

namespace tpf::queue {

std::string_view to_string(State state) noexcept {
    switch (state) {
        case State::claimed:
            return "claimed";
        case State::committed:
            return "committed";
        case State::delivered:
            return "delivered";
        case State::quarantined:
            return "quarantined";
        case State::held:
            return "held";
        case State::discarded:
            return "discarded";
        case State::duplicate:
            return "duplicate";
    }
    return "unknown";
}

std::optional<State> parse_state(std::string_view text) noexcept {
    for (const State state : kStates) {
        if (to_string(state) == text) return state;
    }
    return std::nullopt;
}

bool may_become(State from, State to) noexcept {
    switch (from) {
        case State::claimed:
            return to == State::committed || to == State::quarantined || to == State::held || to == State::duplicate;
        case State::committed:
            return to == State::delivered || to == State::quarantined;
        case State::quarantined:
        case State::held:
            return to == State::claimed || to == State::discarded;
        case State::delivered:
        case State::discarded:
        case State::duplicate:
            return false;
    }
    return false;
}

}  // namespace tpf::queue
