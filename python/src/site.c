/* Which line of the program the calling thread is in. Lines inside the package count for the line
   that called it. Asked for with every scope that opens: two look-ups by address a frame, since
   hashing a code object hashes its constants and names (a third of a watched step). */
#include "site.h"

#include "array.h"
#include "base/base.h"

/* Sites are numbered from 1 and live as long as the process. */
static mica_py_place *places;
static size_t nplaces, places_room;
static uint32_t *table; /* open addressing; site or 0 */
static size_t table_size;
static uint32_t module_now;
static _Thread_local uint32_t stay; /* the site while a function of the package runs; 0: look */

static mica__map kinds;   /* of code objects: &INSIDE or &OUTSIDE */
static PyObject *codes;   /* a list that keeps them, so that addresses stay theirs */
static PyObject *package; /* the folder's path with a slash */
static PyObject *back;    /* "f_back" */
static char INSIDE, OUTSIDE;

static size_t hash_place(const mica_py_place *p)
{
    uint64_t h = (uint64_t)(uintptr_t)p->code >> 4;
    h = (h ^ ((uint64_t)p->module << 40) ^ ((uint64_t)p->line << 20)) * 0x9E3779B97F4A7C15u;
    return (size_t)(h ^ h >> 32);
}

static bool grow_table(void)
{
    if (2 * (nplaces + 2) <= table_size) return true;
    size_t size = table_size ? 2 * table_size : 256;
    uint32_t *grown = mica__alloc_zero(size, sizeof *grown);
    if (!grown) return false;
    for (size_t i = 1; i <= nplaces; i++) {
        size_t at = hash_place(&places[i]) & (size - 1);
        while (grown[at]) at = (at + 1) & (size - 1);
        grown[at] = (uint32_t)i;
    }
    mica__free(table);
    table = grown;
    table_size = size;
    return true;
}

static uint32_t number_of(const mica_py_place *p)
{
    if (!grow_table()) return 0;
    size_t at = hash_place(p) & (table_size - 1);
    for (; table[at]; at = (at + 1) & (table_size - 1)) {
        const mica_py_place *known = &places[table[at]];
        if (known->code == p->code && known->line == p->line && known->module == p->module)
            return table[at];
    }
    if (nplaces + 2 > places_room) {
        size_t room = places_room ? 2 * places_room : 256;
        mica_py_place *grown = mica__realloc(places, room * sizeof *grown);
        if (!grown) return 0;
        places = grown;
        places_room = room;
    }
    places[++nplaces] = *p;
    Py_INCREF(p->code);
    table[at] = (uint32_t)nplaces;
    return table[at];
}

/* Whether code belongs to the package, or has no file at all. */
static bool find_inside(PyObject *code)
{
    PyObject *file = PyObject_GetAttrString(code, "co_filename");
    Py_ssize_t at = file ? PyUnicode_Tailmatch(file, package, 0, PY_SSIZE_T_MAX, -1) : 0;
    bool frozen = false;
    if (file && at == 0) {
        PyObject *start = PyUnicode_FromString("<frozen ");
        frozen = start && PyUnicode_Tailmatch(file, start, 0, PY_SSIZE_T_MAX, -1) == 1;
        Py_XDECREF(start);
    }
    Py_XDECREF(file);
    PyErr_Clear();
    return at == 1 || frozen;
}

static bool is_inside(PyObject *code)
{
    void *known;
    if (mica__map_get(&kinds, code, &known)) return known == &INSIDE;
    bool yes = find_inside(code);
    if (PyList_Append(codes, code) < 0) PyErr_Clear();
    else (void)mica__map_set(&kinds, code, yes ? &INSIDE : &OUTSIDE);
    return yes;
}

/* The innermost frame outside of the package, from `f` on, which is given away; NULL: none. */
static uint32_t site_from(PyFrameObject *f)
{
    uint32_t number = 0;
    while (f) {
        PyCodeObject *code = PyFrame_GetCode(f);
        bool found = !is_inside((PyObject *)code);
        if (found) {
            mica_py_place p = { (PyObject *)code, PyFrame_GetLineNumber(f), module_now };
            number = number_of(&p);
        }
        Py_DECREF((PyObject *)code);
        PyObject *next = found ? NULL : PyObject_GetAttr((PyObject *)f, back);
        Py_DECREF((PyObject *)f);
        if (next == Py_None) Py_CLEAR(next);
        f = (PyFrameObject *)next;
    }
    return number;
}

uint32_t mica_py_site(void)
{
    if (stay) return stay;
    PyFrameObject *f = PyEval_GetFrame();
    if (!f) return 0;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback); /* building goes on while an exception is handled */
    Py_INCREF((PyObject *)f);
    uint32_t number = site_from(f);
    PyErr_Restore(type, value, traceback);
    return number;
}

int mica_py_site_begin(PyObject *folder)
{
    PyObject *fresh = PyList_New(0);
    if (!back) back = PyUnicode_InternFromString("f_back");
    if (!fresh || !back) {
        Py_XDECREF(fresh);
        return -1;
    }
    mica__map_free(&kinds);
    Py_XDECREF(codes);
    codes = fresh;
    Py_XDECREF(package);
    package = Py_NewRef(folder);
    module_now = 0;
    return 0;
}

uint32_t mica_py_site_module(uint32_t module)
{
    uint32_t old = module_now;
    module_now = module;
    return old;
}

uint32_t mica_py_site_stay(uint32_t number)
{
    uint32_t old = stay;
    stay = number;
    return old;
}

const mica_py_place *mica_py_places(size_t *count)
{
    *count = nplaces;
    return places;
}
