#include "krypteringsmodul/person_index.h"

#include <algorithm>

#include "krypteringsmodul/export_reader.h"

namespace tpf::krypteringsmodul {

void PersonIndex::append(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) entries_ += static_cast<char>(value | 0x80);
    entries_ += static_cast<char>(value);
}

void PersonIndex::number(std::uint64_t at, std::size_t size, std::uint64_t content_at) {
    if (!usable_) return;
    append(at - end_);
    append(size);
    append(content_at - at - size);
    content_at_ = content_at;
}

void PersonIndex::content(std::uint64_t size) {
    if (!usable_) return;
    append(size);
    end_ = content_at_ + size;
    if (entries_.size() > max_bytes_) give_up();
}

void PersonIndex::give_up() noexcept {
    usable_ = false;
    entries_ = std::string();
}

PersonCutter::PersonCutter(const PersonIndex& index) : entries_(index.entries_) {}

std::uint64_t PersonCutter::read() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(entries_[at_++]);
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
}

void PersonCutter::next_entry() {
    if (at_ == entries_.size()) {
        part_ = Part::end;
        return;
    }
    left_ = read();
    number_size_ = read();
    gap_ = read();
    content_size_ = read();
    part_ = Part::before_number;
}

bool PersonCutter::cut(std::string_view& text, ExportPerson& person) {
    if (part_ == Part::root) {
        text.remove_prefix(std::min(text.find('<'), text.size()));
        if (text.empty()) return false;
        next_entry();
    }
    while (part_ != Part::end) {
        const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left_, text.size()));
        if (part_ == Part::number) person.number.append(text.substr(0, piece));
        if (part_ == Part::content) person.content.append(text.substr(0, piece));
        text.remove_prefix(piece);
        left_ -= piece;
        if (left_ != 0) return false;
        switch (part_) {
            case Part::before_number:
                person.number.clear();
                part_ = Part::number;
                left_ = number_size_;
                break;
            case Part::number:
                part_ = Part::before_content;
                left_ = gap_;
                break;
            case Part::before_content:
                person.content.clear();
                person.content.reserve(static_cast<std::size_t>(content_size_));
                part_ = Part::content;
                left_ = content_size_;
                break;
            default:
                next_entry();
                return true;
        }
    }
    text = {};
    return false;
}

Status PersonCutter::finish() const {
    if (part_ == Part::end || (part_ == Part::root && entries_.empty())) return ok();
    return fail(Code::truncated, "fewer persons than were noted");
}

}  // namespace tpf::krypteringsmodul
