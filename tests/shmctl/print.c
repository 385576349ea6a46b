/* SPDX-License-Identifier: MIT */
/* Writes one document with everything that json.h can (argument "json"), or a table (argument "table"), for the test to
 * compare. */
#include <math.h>
#include <string.h>

#include "json.h"
#include "table.h"

static void document(void)
{
    struct json j;

    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_object(&j, "empty object");
    json_close(&j);
    json_array(&j, "empty array");
    json_close(&j);
    json_array(&j, "numbers");
    json_u64(&j, NULL, UINT64_MAX);
    json_i64(&j, NULL, INT64_MIN);
    json_double(&j, NULL, 0.1);
    json_double(&j, NULL, INFINITY);
    json_double(&j, NULL, NAN);
    json_close(&j);
    json_bool(&j, "yes", true);
    json_bool(&j, "no", false);
    json_null(&j, "nothing");
    json_array(&j, "strings");
    json_string(&j, NULL, "");
    json_string(&j, NULL, "quote \" backslash \\ slash / newline \n tab \t escape \033 delete \177");
    json_string(&j, NULL, "Stra\xc3\x9f\x65 \xe2\x86\x92 \xf0\x9f\x99\x82");
    json_string(&j, NULL, "cut \xc3");
    json_string(&j, NULL, "overlong \xc0\x80 surrogate \xed\xa0\x80 beyond \xf4\x90\x80\x80 alone \x80 never \xff");
    json_bytes(&j, NULL, "zero\0inside", 11);
    json_close(&j);
    json_object(&j, "key \"quoted\"");
    json_array(&j, "nested");
    json_array(&j, NULL);
    json_close(&j);
    json_close(&j);
    json_close(&j);
    json_close(&j);
}

static void table(bool colours)
{
    struct table t;

    table_begin(&t, "NAME >SIZE LAST");
    table_end(&t, stdout, 0, colours); /* no rows: nothing */
    table_begin(&t, "NAME >SIZE LAST");
    table_cell(&t, TABLE_PLAIN, "stra\xc3\x9f\x65");
    table_cell(&t, TABLE_RED, "%s", table_bytes(1023));
    table_cell(&t, TABLE_PLAIN, "%s", table_age(119000000000ULL));
    table_cell(&t, TABLE_PLAIN, "%s", table_text("evil\033[2J\xff\xc2\x9b!", 64));
    table_cell(&t, TABLE_PLAIN, "%s", table_bytes(8ULL << 20));
    table_cell(&t, TABLE_PLAIN, "%s", table_age(UINT64_C(5) << 50));
    table_cell(&t, TABLE_PLAIN, "%s", table_text("cut here", 3));
    table_cell(&t, TABLE_PLAIN, "%s", table_bytes(UINT64_MAX));
    table_cell(&t, TABLE_PLAIN, "end");
    table_end(&t, stdout, 2, colours);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "json") == 0)
        document();
    else
        table(argc > 2);
    return 0;
}
