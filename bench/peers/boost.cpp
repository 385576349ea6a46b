/* SPDX-License-Identifier: MIT */
#include "boost.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdio>
#include <unistd.h>

namespace ipc = boost::interprocess;

extern "C" void *bench_boost_open(unsigned channel, size_t depth, size_t bytes)
{
    char name[64];
    std::snprintf(name, sizeof name, "strait-bench-boost-%d-%u", getpid(), channel);
    try {
        ipc::message_queue::remove(name);
        void *queue = new ipc::message_queue(ipc::create_only, name, depth, bytes);
        ipc::message_queue::remove(name);
        return queue;
    } catch (...) {
        return nullptr;
    }
}

extern "C" void bench_boost_close(void *queue)
{
    delete static_cast<ipc::message_queue *>(queue);
}

extern "C" int bench_boost_send(void *queue, const void *from, size_t bytes)
{
    try {
        static_cast<ipc::message_queue *>(queue)->send(from, bytes, 0);
        return 0;
    } catch (...) {
        return -1;
    }
}

extern "C" int bench_boost_receive(void *queue, void *to, size_t bytes)
{
    ipc::message_queue::size_type got;
    unsigned priority;
    try {
        static_cast<ipc::message_queue *>(queue)->receive(to, bytes, got, priority);
        return got == bytes ? 0 : -1;
    } catch (...) {
        return -1;
    }
}
