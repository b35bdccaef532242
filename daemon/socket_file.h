#pragma once
// The body of a request as a File to read from.

#include <algorithm>

#include "base/fs.h"
#include "daemon/control_protocol.h"

namespace tpf::daemon {

/// Reads exactly `size` bytes, then is at its end; a body that ends early is Code::unavailable. Reading only.
class SocketFile final : public File {
  public:
    SocketFile(ControlStream& stream, std::uint64_t size) noexcept : stream_(stream), left_(size) {}
    Result<std::size_t> read(std::span<std::uint8_t> to) override {
        std::size_t done = 0;
        while (done < to.size() && left_ > 0) {
            const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(left_, to.size() - done));
            TPF_TRY(const std::size_t got, stream_.read(to.subspan(done, most)));
            if (got == 0) return fail(Code::unavailable, "the connection was closed inside the file");
            done += got;
            left_ -= got;
        }
        return done;
    }
    Status write(std::span<const std::uint8_t>) override {
        return fail(Code::internal, "a request cannot be written to");
    }
    Status sync() override { return fail(Code::internal, "a request cannot be synced"); }
    void start_writeback() noexcept override {}
    Status seek(std::uint64_t) override { return fail(Code::internal, "a request cannot be rewound"); }

  private:
    ControlStream& stream_;
    std::uint64_t left_;
};

}  // namespace tpf::daemon
